-- A page further on: the rows before it are passed over by what an index holds,
-- and only those of the page are read.
select {columns}
from (select {keys} from "{table}" where {where} order by {order} limit ? offset ?)
cross join "{table}" using ({keys})
order by {order}
