@ SOA a b 1 2 3 4 5
@ NS a
a A 192.0.2.1
w 300/30 DYNA geoip!r
