CREATE TABLE organizations (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	slug       TEXT    NOT NULL UNIQUE,
	name       TEXT    NOT NULL,
	user_limit BIGINT  NOT NULL,
	active     BOOLEAN NOT NULL
);
CREATE TABLE users (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	email    TEXT    NOT NULL UNIQUE, -- in lower case
	nick     TEXT    NOT NULL,
	name     TEXT    NOT NULL,
	website  TEXT    NOT NULL,
	password TEXT    NOT NULL, -- a hash
	disabled BOOLEAN NOT NULL
);
CREATE TABLE colleagues (
	org_id     BIGINT  NOT NULL REFERENCES organizations (id),
	user_id    BIGINT  NOT NULL REFERENCES users (id),
	lower_nick TEXT    NOT NULL,
	admin      BOOLEAN NOT NULL,
	PRIMARY KEY (org_id, user_id),
	UNIQUE (org_id, lower_nick)
);
CREATE INDEX colleagues_user ON colleagues (user_id);
CREATE TABLE flows (
	id       TEXT    PRIMARY KEY,
	org_id   BIGINT  NOT NULL REFERENCES organizations (id),
	slug     TEXT    NOT NULL,
	name     TEXT    NOT NULL,
	access   TEXT    NOT NULL,
	archived BOOLEAN NOT NULL,
	derived  BIGINT  NOT NULL, -- the work in the log's outboxes is done up to here
	UNIQUE (org_id, slug)
);
CREATE TABLE members (
	flow_id TEXT    NOT NULL REFERENCES flows (id),
	user_id BIGINT  NOT NULL REFERENCES users (id),
	joined  BIGINT  NOT NULL, -- Unix time in milliseconds
	open    BOOLEAN NOT NULL,
	seen    BIGINT  NOT NULL, -- the last event that the user has seen
	PRIMARY KEY (flow_id, user_id)
);
CREATE INDEX members_user ON members (user_id);
CREATE TABLE mentions (
	flow_id TEXT   NOT NULL REFERENCES flows (id),
	user_id BIGINT NOT NULL REFERENCES users (id),
	seq     BIGINT NOT NULL, -- the event that mentions the user, who has not seen it
	PRIMARY KEY (flow_id, user_id, seq)
);
CREATE TABLE tokens (
	hash    TEXT   PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	kind    TEXT   NOT NULL,
	expires BIGINT NOT NULL -- Unix time in milliseconds; 0: never
);
CREATE TABLE announcements (
	n       INTEGER PRIMARY KEY AUTOINCREMENT,
	uuid    TEXT   NOT NULL UNIQUE,
	flow_id TEXT   NOT NULL REFERENCES flows (id),
	user_id BIGINT NOT NULL,
	type    TEXT   NOT NULL,
	at      BIGINT NOT NULL
);
