-- The rows of a store. One row is one row struct of package store, column for
-- column, and words is store.Words of it.
--
-- The version a file carries is a digest of this text. When what the columns
-- hold changes its meaning, raise the number on the next line; a file of another
-- version is dropped and folded again, never migrated.
--   rows: 1
--
-- text      UTF-8
-- *_at, from, until, at, since   "2026-11-01T12:00:00.000000000Z", null: not set
-- json      canonical JSON; null: no value
-- retired   0 or 1

create table cursor (
    one  integer primary key check (one = 1),
    next integer not null                      -- entries folded = Seq of the next
) strict;

insert into cursor (one, next) values (1, 0);

-- Subjects of a kind, and facts of a subject, are read together; without a rowid
-- they also lie together.

create table subject (
    "kind"       text not null,
    "id"         text not null,
    "name"       text not null,
    "unit"       text not null,
    "system"     text not null,
    "retired"    integer not null,
    "values"     text not null,                -- json, an object by field
    "since"      text not null,                -- json, an object by field
    "rev"        integer not null,
    "changed_at" text,
    "changed_by" text not null,
    "entry"      integer not null,
    "words"      text not null,
    primary key ("kind", "id")
) strict, without rowid;

create index subject_entry  on subject ("entry");
create index subject_name   on subject ("kind", "name", "id");
create index subject_system on subject ("system", "kind", "id");

create table fact (
    "subject"     text not null,               -- kind/id
    "field"       text not null,
    "status"      text not null,
    "reason"      text not null,
    "value"       text,                        -- json
    "source"      text not null,               -- json, a list
    "collector"   text not null,
    "version"     text not null,
    "method"      text not null,
    "privilege"   text not null,
    "observed_at" text,
    "received_at" text,
    "since"       text,
    "first_at"    text,
    "entry"       integer not null,
    primary key ("subject", "field")
) strict, without rowid;

create index fact_entry on fact ("entry");

create table decision (
    "id"           text not null primary key,
    "type"         text not null,
    "subject"      text not null,              -- kind/id
    "control"      text not null,
    "clause"       text not null,
    "field"        text not null,
    "value"        text,                       -- json
    "answer"       text not null,
    "reason"       text not null,
    "measures"     text not null,
    "conditions"   text not null,              -- json, a list
    "consulted"    text not null,
    "by"           text not null,
    "post"         text not null,
    "approved_by"  text not null,
    "at"           text,
    "from"         text,
    "until"        text,
    "withdrawn_at" text,
    "approved_at"  text,
    "directive"    text not null,
    "carries"      text not null,
    "chosen"       text not null,              -- json, a list
    "target"       text,
    "basis"        text not null,              -- json, a record
    "notes"        text not null,              -- json, a list
    "ground"       text not null,
    "recorded"     text not null,              -- json, a record
    "entry"        integer not null,
    "words"        text not null
) strict;

create index decision_entry   on decision ("entry");
create index decision_subject on decision ("subject", "control");

create table setting (
    "id"           text not null primary key,
    "key"          text not null,
    "layer"        text not null,
    "value"        text,                       -- json
    "source"       text not null,
    "by"           text not null,
    "approver"     text not null,
    "from"         text,
    "until"        text,
    "at"           text,
    "withdrawn_at" text,
    "predicted"    text not null,              -- json, a record
    "entry"        integer not null,
    "words"        text not null
) strict;

create index setting_key on setting ("key", "layer");

create table credential (
    "person"     text not null primary key,
    "digest"     text not null,
    "changed_at" text,
    "entry"      integer not null
) strict;

create table session (
    "digest"      text not null primary key,
    "person"      text not null,
    "addr"        text not null,
    "passkey"     text not null,
    "opened_at"   text,
    "until"       text,
    "closed_at"   text,
    "before"      text,
    "before_addr" text not null,
    "failed"      integer not null,
    "elsewhere"   integer not null,
    "login"       integer not null,
    "entry"       integer not null
) strict;

create index session_person on session ("person", "opened_at");
create index session_passkey on session ("passkey") where "passkey" <> '';

create table passkey (
    "id"         text not null primary key,
    "person"     text not null,
    "name"       text not null,
    "host"       text not null,
    "credential" text,
    "added_at"   text,
    "used_at"    text,
    "ended_at"   text,
    "entry"      integer not null
) strict;

create index passkey_person on passkey ("person");

create table invite (
    "digest"  text not null primary key,
    "person"  text not null,
    "until"   text,
    "used_at" text,
    "entry"   integer not null
) strict;

create table failure (
    "entry"  integer primary key,
    "person" text not null,
    "addr"   text not null,
    "at"     text
) strict;

create index failure_person on failure ("person", "at");
create index failure_addr   on failure ("addr", "at");

create table batch (
    "id"    text not null primary key,
    "entry" integer not null
) strict;

create table sender (
    "digest"   text not null primary key,
    "name"     text not null,
    "given_at" text,
    "ended_at" text,
    "entry"    integer not null
) strict;

create table adoption (
    "entry"    integer primary key,
    "source"   text not null,
    "replaces" text not null,
    "document" text not null,
    "reason"   text not null,
    "by"       text not null,
    "post"     text not null,
    "at"       text,
    "carried"  integer not null,
    "asked"    integer not null,
    "archived" integer not null
) strict;

-- The steps of one entry lie together, the first one first.

create table step (
    "subject"   text not null,                 -- kind/id
    "entry"     integer not null,
    "procedure" text not null,
    "step"      text not null,
    "before"    text not null,
    "after"     text not null,
    "person"    text not null,
    "post"      text not null,
    "at"        text,
    "note"      text not null,
    "files"     text,
    primary key ("subject", "entry")
) strict, without rowid;

-- The drafts of one person lie together.

create table draft (
    "person"  text not null,
    "subject" text not null,                   -- kind/id, kind/new
    "form"    text not null,                   -- entry, or a step
    "rev"     integer not null,
    "typed"   text,
    "at"      text,
    "entry"   integer not null,
    primary key ("person", "subject", "form")
) strict, without rowid;

create table import (
    "id"          text not null primary key,
    "kind"        text not null,               -- empty: several
    "file"        text not null,
    "digest"      text not null,
    "bytes"       integer not null,
    "by"          text not null,
    "post"        text not null,
    "at"          text,
    "note"        text not null,
    "new"         integer not null,
    "changed"     integer not null,
    "same"        integer not null,
    "apart"       integer not null,
    "undone"      text not null,
    "undone_post" text not null,
    "undone_at"   text,
    "undone_note" text not null,
    "entry"       integer not null
) strict;

create index import_at on import ("at");

-- The entries of one import lie together.

create table imported (
    "import"  text not null,
    "subject" text not null,                   -- kind/id
    "line"    integer not null,
    "made"    integer not null,
    "retired" integer not null,
    "was"     text,
    "rev"     integer not null,
    primary key ("import", "subject")
) strict, without rowid;

create table mapping (
    "kind"     text not null,
    "headings" text not null,
    "mapping"  text,
    "by"       text not null,
    "at"       text,
    "entry"    integer not null,
    primary key ("kind", "headings")
) strict, without rowid;

create table feed (
    "digest"   text not null primary key,
    "person"   text not null,
    "given_at" text,
    "ended_at" text,
    "entry"    integer not null
) strict;

create index feed_person on feed ("person");

create table notices (
    "name"  text not null primary key,
    "value" text,
    "by"    text not null,
    "at"    text,
    "entry" integer not null
) strict;

-- What one person was told of lies together.

create table told (
    "person" text not null,
    "item"   text not null,
    "at"     text,
    "entry"  integer not null,
    primary key ("person", "item")
) strict, without rowid;
