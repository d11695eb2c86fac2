select count(*) from "{table}" where {where}
