www DYNA geoip!r
