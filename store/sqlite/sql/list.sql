select {columns} from "{table}" where {where} order by {order} limit ? offset ?
