$TTL soon
$ORIGIN example.org.
@ A 192.0.2.1 192.0.2.2
a HINFO x y
b MX ten mail
c TXT "open
d"
e A 300.1.1.1
f 60/30 A 192.0.2.1
g DYNA geoip!www/par
h DYNA geoip!www
i DYNA geoip!lost
j DYNA geoip!absent
k DYNA weighted!w
l DYNA simplefo!s
m DYNC static!name
n DYNA nothing!at-all
o.@X A 192.0.2.1
p\25 A 192.0.2.1
q A ) 192.0.2.1
r A
$INCLUDE example.com
$INCLUDE missing
$GENERATE 1-3 a A 192.0.2.$
s (
