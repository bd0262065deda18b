CREATE TABLE events (
	flow   TEXT   NOT NULL,
	seq    BIGINT NOT NULL,
	uuid   TEXT   NOT NULL,
	kind   TEXT   NOT NULL,
	thread TEXT   NOT NULL,
	target BIGINT NOT NULL, -- the event that this one changes; 0: none
	doc    TEXT   NOT NULL, -- all of it, as JSON, with its outbox
	PRIMARY KEY (flow, seq),
	UNIQUE (flow, uuid)
);
CREATE INDEX events_target ON events (flow, target, seq) WHERE target > 0;
CREATE INDEX events_thread ON events (flow, thread, seq);
