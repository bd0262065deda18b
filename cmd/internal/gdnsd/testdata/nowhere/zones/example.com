@ SOA ns h 1 7200 1800 259200 900
@ NS ns.elsewhere.example.
www DYNA geoip!r
