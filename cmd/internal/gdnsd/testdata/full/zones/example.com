$TTL 1H
@	SOA ns1 hostmaster (
	2026112201 ; serial
	7200 30M 3D
	900 )
@	NS	ns1
@	NS	ns.example.net.
ns1	A	192.0.2.53
	AAAA	2001:db8:53::1
@	MX	10 mail
mail	300	IN A 192.0.2.25
www	60/10	DYNA	geoip!www
@	30	DYNA	geoip!www
api	DYNA	geoip!api
lone	DYNC	geoip!lone
www-fra	DYNA	geoip!www/fra
old	DYNA	static!old
away	DYNC	static!away
me	DYNA	reflect
alias	CNAME	www
*.wild	TXT	"any name" "of \"these\"" ; a comment
_sip._tcp SRV 5 10 5060 mail
@	CAA	0 issue "ca.example.net"
raw	TYPE65280 \# 4 0A0B 0C0D
num	NAPTR	10 20 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
$INCLUDE more/sub sub
$ORIGIN deep
x	A	192.0.2.9
y.@Z	A	192.0.2.10
sub2	NS	ns.sub2
ns.sub2	A	192.0.2.11
