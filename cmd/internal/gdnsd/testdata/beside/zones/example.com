; Records beside a service, that neither server would answer with.
@ SOA a b 1 2 3 4 5
@ NS ns.example.net.
www 60/60 DYNA geoip!r
www TXT "beside a service"
www A 192.0.2.1
big TYPE65534 \# 3 0001
x CNAME www
x TXT "beside an alias"
