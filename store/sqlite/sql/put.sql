insert into "{table}" ({columns}) values ({marks})
on conflict ({keys}) do update set {updates}
