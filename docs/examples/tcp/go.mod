module example/tcp

go 1.26.0
