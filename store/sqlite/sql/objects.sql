-- Everything that was created in a database, also what SQLite made by itself.
select type || '/' || name, coalesce(sql, '') from sqlite_schema order by 1 collate binary
