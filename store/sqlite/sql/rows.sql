select {columns} from "{table}" order by {order}
