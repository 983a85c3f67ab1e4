-- Printed from schema.py by `make docs`.
CREATE TABLE approvals (
	id INTEGER NOT NULL,
	item TEXT NOT NULL,
	sha256 TEXT NOT NULL,
	version INTEGER NOT NULL,
	text TEXT DEFAULT '' NOT NULL,
	author TEXT NOT NULL,
	author_name TEXT NOT NULL,
	put_forward TEXT NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	approver TEXT DEFAULT '' NOT NULL,
	approver_name TEXT DEFAULT '' NOT NULL,
	approved TEXT DEFAULT '' NOT NULL,
	meaning TEXT DEFAULT '' NOT NULL,
	withdrawn TEXT DEFAULT '' NOT NULL,
	withdrawn_by TEXT DEFAULT '' NOT NULL,
	withdrawn_why TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT two_persons_approve CHECK (approver <> author)
);
CREATE UNIQUE INDEX approvals_in_force ON approvals (item, sha256) WHERE withdrawn = '';
CREATE TABLE assertions (
	digest BLOB NOT NULL,
	until TEXT NOT NULL,
	PRIMARY KEY (digest)
)
 WITHOUT ROWID;
CREATE INDEX assertions_until ON assertions (until);
CREATE TABLE attempts (
	id INTEGER NOT NULL,
	delivery INTEGER NOT NULL,
	at TEXT NOT NULL,
	sent TEXT NOT NULL,
	reason TEXT DEFAULT '' NOT NULL,
	answer BLOB NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX attempts_delivery ON attempts (delivery);
CREATE TABLE audit (
	id INTEGER NOT NULL,
	at TEXT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail TEXT DEFAULT '' NOT NULL,
	node INTEGER DEFAULT '0' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX audit_acts ON audit (subject) WHERE action IN ('edited', 'identity other', 'identity same', 'raw opened', 'reprocess', 'unlinked', 'who is who opened');
CREATE TABLE calls (
	id INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	person TEXT NOT NULL,
	name TEXT NOT NULL,
	at TEXT NOT NULL,
	told TEXT NOT NULL,
	read_back INTEGER NOT NULL,
	note TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX calls_case ON calls ("case");
CREATE TABLE cases (
	id INTEGER NOT NULL,
	lane TEXT NOT NULL,
	feed TEXT NOT NULL,
	opened_day TEXT NOT NULL,
	version INTEGER NOT NULL,
	state TEXT NOT NULL,
	opened TEXT NOT NULL,
	updated TEXT NOT NULL,
	restore INTEGER DEFAULT '0' NOT NULL,
	severity INTEGER DEFAULT '0' NOT NULL,
	flags TEXT DEFAULT '' NOT NULL,
	analytes TEXT DEFAULT '' NOT NULL,
	disposition TEXT DEFAULT '' NOT NULL,
	disposition_version INTEGER DEFAULT '0' NOT NULL,
	until TEXT DEFAULT '' NOT NULL,
	rank INTEGER DEFAULT '0' NOT NULL,
	ranked TEXT DEFAULT '' NOT NULL,
	crc INTEGER,
	version_crc INTEGER,
	state_crc INTEGER,
	put_crc INTEGER,
	rank_crc INTEGER,
	PRIMARY KEY (id)
);
CREATE INDEX cases_alike ON cases (flags, id) WHERE state IN ('signed', 'closed');
CREATE INDEX cases_lane ON cases (lane);
CREATE INDEX cases_open ON cases (id) WHERE (state NOT IN ('signed', 'closed'));
CREATE INDEX cases_ranked ON cases (rank DESC, id) WHERE (state NOT IN ('signed', 'closed'));
CREATE INDEX cases_set_aside ON cases (feed, state) WHERE disposition != '';
CREATE INDEX cases_states ON cases (feed, state);
CREATE INDEX cases_updated ON cases (updated);
CREATE TABLE changes (
	id INTEGER NOT NULL,
	edits BLOB NOT NULL,
	about BLOB NOT NULL,
	base TEXT NOT NULL,
	state TEXT NOT NULL,
	author TEXT NOT NULL,
	author_name TEXT NOT NULL,
	put_forward TEXT NOT NULL,
	why TEXT NOT NULL,
	approver TEXT DEFAULT '' NOT NULL,
	approver_name TEXT DEFAULT '' NOT NULL,
	approved TEXT DEFAULT '' NOT NULL,
	ended TEXT DEFAULT '' NOT NULL,
	said TEXT DEFAULT '' NOT NULL,
	replay INTEGER DEFAULT '0' NOT NULL,
	read_again INTEGER DEFAULT '0' NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT two_persons_change CHECK (approver <> author)
);
CREATE INDEX changes_open ON changes (id) WHERE state IN ('put_forward', 'approved');
CREATE TABLE comments (
	id INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	body BLOB NOT NULL,
	void INTEGER DEFAULT '0' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX comments_case ON comments ("case");
CREATE TABLE countersigned (
	signature INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	first TEXT NOT NULL,
	second TEXT NOT NULL,
	PRIMARY KEY (signature),
	CONSTRAINT two_persons_sign CHECK (first <> second)
);
CREATE INDEX countersigned_case ON countersigned ("case");
CREATE TABLE decisions (
	id INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	kind TEXT NOT NULL,
	person TEXT NOT NULL,
	name TEXT NOT NULL,
	at TEXT NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	until TEXT DEFAULT '' NOT NULL,
	text TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX decisions_case ON decisions ("case");
CREATE TABLE drafts (
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	outcome BLOB NOT NULL,
	text TEXT NOT NULL,
	subject_message INTEGER,
	subject_at TEXT NOT NULL,
	knowledge TEXT NOT NULL,
	created TEXT NOT NULL,
	crc INTEGER,
	PRIMARY KEY ("case", version)
)
 WITHOUT ROWID;
CREATE TABLE edits (
	message INTEGER NOT NULL,
	version INTEGER NOT NULL,
	raw BLOB NOT NULL,
	editor TEXT NOT NULL,
	why TEXT NOT NULL,
	made TEXT NOT NULL,
	approved_by TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (message, version),
	CONSTRAINT two_persons_repair CHECK (approved_by <> editor)
);
CREATE TABLE grants (
	digest BLOB NOT NULL,
	client TEXT NOT NULL,
	scopes TEXT NOT NULL,
	expires TEXT NOT NULL,
	PRIMARY KEY (digest)
)
 WITHOUT ROWID;
CREATE INDEX grants_expires ON grants (expires);
CREATE TABLE holdings (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	node INTEGER,
	epoch INTEGER DEFAULT '0' NOT NULL,
	leaving INTEGER DEFAULT '0' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
CREATE TABLE holds (
	id INTEGER NOT NULL,
	lane TEXT NOT NULL,
	why TEXT NOT NULL,
	"by" TEXT NOT NULL,
	at TEXT NOT NULL,
	lifted TEXT DEFAULT '' NOT NULL,
	lifted_by TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX holds_lane ON holds (lane);
CREATE TABLE identities (
	lane TEXT NOT NULL,
	who TEXT NOT NULL,
	verdict TEXT NOT NULL,
	message INTEGER NOT NULL,
	at TEXT NOT NULL,
	PRIMARY KEY (lane, who)
)
 WITHOUT ROWID;
CREATE TABLE journal (
	id INTEGER NOT NULL,
	sender TEXT NOT NULL,
	control_id TEXT NOT NULL,
	digest BLOB NOT NULL,
	feed TEXT NOT NULL,
	peer TEXT NOT NULL,
	message_type TEXT NOT NULL,
	received TEXT NOT NULL,
	length INTEGER NOT NULL,
	lanes TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	detail TEXT DEFAULT '' NOT NULL,
	answer TEXT DEFAULT '' NOT NULL,
	error_code TEXT DEFAULT '' NOT NULL,
	location TEXT DEFAULT '' NOT NULL,
	duplicates INTEGER DEFAULT '0' NOT NULL,
	raw BLOB NOT NULL,
	notes TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT ledger UNIQUE (sender, control_id, digest)
);
CREATE INDEX journal_unread ON journal (id) WHERE state = 'quarantined';
CREATE TABLE judgements (
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	feed TEXT NOT NULL,
	class TEXT NOT NULL,
	agreed INTEGER NOT NULL,
	at TEXT NOT NULL,
	PRIMARY KEY ("case", version)
)
 WITHOUT ROWID;
CREATE INDEX judgements_class ON judgements (feed, class, "case", agreed);
CREATE TABLE knowledge (
	version TEXT NOT NULL,
	body BLOB NOT NULL,
	taken TEXT NOT NULL,
	PRIMARY KEY (version)
)
 WITHOUT ROWID;
CREATE TABLE known (
	id INTEGER NOT NULL,
	feed TEXT NOT NULL,
	type TEXT NOT NULL,
	token TEXT NOT NULL,
	resource TEXT NOT NULL,
	message INTEGER NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX known_message ON known (message);
CREATE INDEX known_token ON known (feed, type, token);
CREATE TABLE links (
	id INTEGER NOT NULL,
	prior TEXT NOT NULL,
	surviving TEXT NOT NULL,
	message INTEGER NOT NULL,
	made TEXT NOT NULL,
	undone TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX links_message ON links (message);
CREATE INDEX links_prior ON links (prior);
CREATE INDEX links_surviving ON links (surviving);
CREATE TABLE lots (
	feed TEXT NOT NULL,
	lot TEXT NOT NULL,
	first TEXT NOT NULL,
	PRIMARY KEY (feed, lot)
)
 WITHOUT ROWID;
CREATE TABLE merged (
	lane TEXT NOT NULL,
	surviving TEXT NOT NULL,
	PRIMARY KEY (lane)
)
 WITHOUT ROWID;
CREATE INDEX merged_surviving ON merged (surviving);
CREATE TABLE nodes (
	number INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	instance TEXT DEFAULT '' NOT NULL,
	name TEXT DEFAULT '' NOT NULL,
	processes INTEGER DEFAULT '0' NOT NULL,
	renewed INTEGER DEFAULT '0' NOT NULL,
	within INTEGER DEFAULT '0' NOT NULL,
	session INTEGER DEFAULT '0' NOT NULL,
	since TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (number)
);
CREATE TABLE numbers (
	number TEXT NOT NULL,
	lane TEXT NOT NULL,
	message INTEGER NOT NULL,
	PRIMARY KEY (number, lane, message)
)
 WITHOUT ROWID;
CREATE INDEX numbers_message ON numbers (message);
CREATE TABLE opened (
	"case" INTEGER NOT NULL,
	person INTEGER NOT NULL,
	at TEXT NOT NULL,
	PRIMARY KEY ("case", person)
)
 WITHOUT ROWID;
CREATE TABLE orders (
	id INTEGER NOT NULL,
	retest INTEGER NOT NULL,
	number TEXT NOT NULL,
	lane TEXT NOT NULL,
	analyte TEXT NOT NULL,
	reason TEXT NOT NULL,
	family TEXT NOT NULL,
	delivery INTEGER NOT NULL,
	receiver TEXT NOT NULL,
	control_id TEXT NOT NULL,
	state TEXT NOT NULL,
	filler TEXT DEFAULT '' NOT NULL,
	said TEXT DEFAULT '' NOT NULL,
	open INTEGER DEFAULT '1' NOT NULL,
	due TEXT DEFAULT '' NOT NULL,
	made TEXT NOT NULL,
	updated TEXT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (number)
);
CREATE INDEX orders_delivery ON orders (delivery);
CREATE INDEX orders_lane ON orders (lane);
CREATE UNIQUE INDEX orders_open ON orders (lane, analyte, reason) WHERE open = 1;
CREATE INDEX orders_retest ON orders (retest);
CREATE TABLE outbox (
	id INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	comment INTEGER NOT NULL,
	receiver TEXT NOT NULL,
	lane TEXT NOT NULL,
	control_id TEXT NOT NULL,
	raw BLOB NOT NULL,
	state TEXT NOT NULL,
	reason TEXT DEFAULT '' NOT NULL,
	attempts INTEGER DEFAULT '0' NOT NULL,
	refusals INTEGER DEFAULT '0' NOT NULL,
	due TEXT DEFAULT '' NOT NULL,
	created TEXT NOT NULL,
	updated TEXT NOT NULL,
	expires TEXT DEFAULT '' NOT NULL,
	specimen TEXT DEFAULT '' NOT NULL,
	digest BLOB,
	rule TEXT DEFAULT '' NOT NULL,
	not_before TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (control_id)
);
CREATE INDEX outbox_case ON outbox ("case");
CREATE INDEX outbox_open ON outbox (receiver, id) WHERE state IN ('waiting', 'sent');
CREATE INDEX outbox_specimen ON outbox (specimen, created);
CREATE INDEX outbox_unsettled ON outbox ("case") WHERE state IN ('waiting', 'sent', 'failed');
CREATE TABLE patients (
	authority TEXT NOT NULL,
	identifier TEXT NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (authority, identifier)
)
 WITHOUT ROWID;
CREATE INDEX patients_identifier ON patients (identifier);
CREATE TABLE people (
	id INTEGER NOT NULL,
	login TEXT NOT NULL,
	name TEXT NOT NULL,
	roles TEXT NOT NULL,
	feeds TEXT NOT NULL,
	secret TEXT DEFAULT '' NOT NULL,
	language TEXT DEFAULT '' NOT NULL,
	theme TEXT DEFAULT '' NOT NULL,
	made TEXT NOT NULL,
	disabled TEXT DEFAULT '' NOT NULL,
	subject TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (login)
);
CREATE UNIQUE INDEX people_subject ON people (subject) WHERE subject != '';
CREATE TABLE polls (
	feed TEXT NOT NULL,
	progress TEXT NOT NULL,
	digest TEXT NOT NULL,
	updated TEXT NOT NULL,
	PRIMARY KEY (feed)
);
CREATE TABLE readings (
	id INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	person TEXT NOT NULL,
	name TEXT NOT NULL,
	at TEXT NOT NULL,
	finding TEXT NOT NULL,
	first TEXT NOT NULL,
	first_finding TEXT NOT NULL,
	unseen INTEGER NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT two_persons_read CHECK (first <> person)
);
CREATE INDEX readings_case ON readings ("case");
CREATE TABLE releases (
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	rule TEXT DEFAULT '' NOT NULL,
	class TEXT DEFAULT '' NOT NULL,
	analytes TEXT DEFAULT '' NOT NULL,
	delivery INTEGER DEFAULT '0' NOT NULL,
	refusals TEXT DEFAULT '' NOT NULL,
	due TEXT DEFAULT '' NOT NULL,
	at TEXT NOT NULL,
	PRIMARY KEY ("case", version)
)
 WITHOUT ROWID;
CREATE TABLE remarks (
	id INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	person TEXT NOT NULL,
	name TEXT NOT NULL,
	at TEXT NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX remarks_case ON remarks ("case");
CREATE TABLE replayed (
	replay INTEGER NOT NULL,
	number INTEGER NOT NULL,
	feed TEXT NOT NULL,
	lane TEXT NOT NULL,
	body BLOB NOT NULL,
	verdict TEXT DEFAULT '' NOT NULL,
	person TEXT DEFAULT '' NOT NULL,
	name TEXT DEFAULT '' NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	at TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (replay, number)
)
 WITHOUT ROWID;
CREATE INDEX replayed_lane ON replayed (lane);
CREATE TABLE replays (
	id INTEGER NOT NULL,
	"before" TEXT NOT NULL,
	"after" TEXT NOT NULL,
	"by" TEXT NOT NULL,
	started TEXT NOT NULL,
	state TEXT NOT NULL,
	said TEXT DEFAULT '' NOT NULL,
	sum BLOB NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE restores (
	id INTEGER NOT NULL,
	at TEXT NOT NULL,
	"by" TEXT NOT NULL,
	taken TEXT NOT NULL,
	confirmed TEXT DEFAULT '' NOT NULL,
	confirmed_by TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE results (
	id INTEGER NOT NULL,
	lane TEXT NOT NULL,
	message INTEGER NOT NULL,
	kind TEXT NOT NULL,
	collected TEXT NOT NULL,
	body BLOB NOT NULL,
	who TEXT DEFAULT '' NOT NULL,
	crc INTEGER,
	PRIMARY KEY (id)
);
CREATE INDEX results_lane ON results (lane);
CREATE TABLE retests (
	id INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	lane TEXT NOT NULL,
	feed TEXT NOT NULL,
	day TEXT NOT NULL,
	message INTEGER NOT NULL,
	analyte TEXT NOT NULL,
	reason TEXT NOT NULL,
	families TEXT NOT NULL,
	priority TEXT NOT NULL,
	not_before TEXT DEFAULT '' NOT NULL,
	rule TEXT DEFAULT '' NOT NULL,
	raised_by TEXT DEFAULT '' NOT NULL,
	assay TEXT DEFAULT '' NOT NULL,
	family TEXT DEFAULT '' NOT NULL,
	band TEXT DEFAULT '' NOT NULL,
	specimen TEXT DEFAULT '' NOT NULL,
	collected TEXT DEFAULT '' NOT NULL,
	state TEXT NOT NULL,
	closing TEXT DEFAULT '' NOT NULL,
	closed_by TEXT DEFAULT '' NOT NULL,
	cause TEXT DEFAULT '' NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	"by" TEXT DEFAULT '' NOT NULL,
	again INTEGER DEFAULT '0' NOT NULL,
	withheld TEXT DEFAULT '' NOT NULL,
	advised TEXT NOT NULL,
	closed TEXT DEFAULT '' NOT NULL,
	order_from TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX retests_case ON retests ("case");
CREATE INDEX retests_lane ON retests (lane);
CREATE INDEX retests_listed ON retests (id) WHERE state IN ('advised', 'ordered');
CREATE UNIQUE INDEX retests_open ON retests (lane, analyte, reason) WHERE state IN ('advised', 'ordered');
CREATE INDEX retests_yield ON retests (rule, assay, band, feed, state, closing);
CREATE TABLE reviews (
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	rule TEXT NOT NULL,
	feed TEXT NOT NULL,
	released TEXT NOT NULL,
	agrees TEXT DEFAULT '' NOT NULL,
	person TEXT DEFAULT '' NOT NULL,
	name TEXT DEFAULT '' NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	at TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY ("case", version)
)
 WITHOUT ROWID;
CREATE INDEX reviews_open ON reviews (feed) WHERE agrees = '';
CREATE TABLE seals (
	id INTEGER NOT NULL,
	last INTEGER NOT NULL,
	entries INTEGER NOT NULL,
	digest BLOB NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE sessions (
	digest BLOB NOT NULL,
	person INTEGER NOT NULL,
	opened TEXT NOT NULL,
	seen TEXT NOT NULL,
	proven TEXT NOT NULL,
	PRIMARY KEY (digest)
)
 WITHOUT ROWID;
CREATE INDEX sessions_person ON sessions (person);
CREATE TABLE shift_notes (
	id INTEGER NOT NULL,
	queue TEXT NOT NULL,
	feed TEXT DEFAULT '' NOT NULL,
	at TEXT NOT NULL,
	person TEXT NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX shift_notes_queue ON shift_notes (queue, id);
CREATE TABLE sign_ins (
	digest BLOB NOT NULL,
	nonce TEXT NOT NULL,
	verifier TEXT NOT NULL,
	made TEXT NOT NULL,
	PRIMARY KEY (digest)
)
 WITHOUT ROWID;
CREATE TABLE signatures (
	id INTEGER NOT NULL,
	"case" INTEGER NOT NULL,
	version INTEGER NOT NULL,
	delivery INTEGER NOT NULL,
	person TEXT NOT NULL,
	name TEXT NOT NULL,
	meaning TEXT NOT NULL,
	screen BLOB NOT NULL,
	at TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX signatures_case ON signatures ("case");
CREATE TABLE suspensions (
	id INTEGER NOT NULL,
	feed TEXT DEFAULT '' NOT NULL,
	analyte TEXT DEFAULT '' NOT NULL,
	rule TEXT DEFAULT '' NOT NULL,
	why TEXT NOT NULL,
	"by" TEXT NOT NULL,
	at TEXT NOT NULL,
	lifted TEXT DEFAULT '' NOT NULL,
	lifted_by TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE tally (
	name TEXT NOT NULL,
	labels TEXT NOT NULL,
	node INTEGER DEFAULT '0' NOT NULL,
	count INTEGER NOT NULL,
	updated TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (name, labels, node)
)
 WITHOUT ROWID;
CREATE TABLE texts (
	digest BLOB NOT NULL,
	comment INTEGER NOT NULL,
	PRIMARY KEY (digest)
)
 WITHOUT ROWID;
CREATE TABLE tokens (
	id INTEGER NOT NULL,
	digest BLOB NOT NULL,
	name TEXT NOT NULL,
	scope TEXT NOT NULL,
	made TEXT NOT NULL,
	expires TEXT NOT NULL,
	used TEXT DEFAULT '' NOT NULL,
	revoked TEXT DEFAULT '' NOT NULL,
	feed TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (digest)
);
CREATE TABLE tombstones (
	id INTEGER NOT NULL,
	lane_digest BLOB NOT NULL,
	at TEXT NOT NULL,
	"by" TEXT NOT NULL,
	messages INTEGER NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE unmapped (
	feed TEXT NOT NULL,
	system TEXT NOT NULL,
	code TEXT NOT NULL,
	label TEXT NOT NULL,
	name TEXT DEFAULT '' NOT NULL,
	unit TEXT DEFAULT '' NOT NULL,
	may_be TEXT DEFAULT '' NOT NULL,
	seen INTEGER NOT NULL,
	last_seen TEXT DEFAULT '' NOT NULL,
	first_message INTEGER NOT NULL,
	last_message INTEGER NOT NULL,
	PRIMARY KEY (feed, system, code, label)
)
 WITHOUT ROWID;
CREATE TABLE unmapped_in (
	feed TEXT NOT NULL,
	system TEXT NOT NULL,
	code TEXT NOT NULL,
	label TEXT NOT NULL,
	message INTEGER NOT NULL,
	PRIMARY KEY (feed, system, code, label, message)
)
 WITHOUT ROWID;
CREATE INDEX unmapped_in_message ON unmapped_in (message);
CREATE TABLE words_seen (
	feed TEXT NOT NULL,
	digest BLOB NOT NULL,
	PRIMARY KEY (feed, digest)
)
 WITHOUT ROWID;
CREATE TABLE work (
	id INTEGER NOT NULL,
	message INTEGER NOT NULL,
	lane TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	sentence TEXT DEFAULT '' NOT NULL,
	notes TEXT DEFAULT '' NOT NULL,
	attempts INTEGER DEFAULT '0' NOT NULL,
	updated TEXT NOT NULL,
	forgiven INTEGER DEFAULT '0' NOT NULL,
	crc INTEGER,
	PRIMARY KEY (id)
);
CREATE INDEX work_lane ON work (lane) WHERE state IN ('kept', 'parked');
CREATE INDEX work_message ON work (message);
CREATE INDEX work_of_lane ON work (lane, id);
CREATE INDEX work_open ON work (id) WHERE state IN ('kept', 'parked');
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER seals_no_update BEFORE UPDATE ON seals BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER seals_no_delete BEFORE DELETE ON seals BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
