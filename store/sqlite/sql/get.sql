select {columns} from "{table}" where {key}
