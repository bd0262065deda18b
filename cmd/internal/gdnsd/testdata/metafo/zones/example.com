www 60 DYNC metafo!www
