import type { Migration, Sql } from './sql.ts';

const FIRST = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  run_id TEXT,
  actor TEXT,
  sprint_id TEXT,
  target TEXT,
  causation_id TEXT,
  correlation_id TEXT,
  lamport INTEGER NOT NULL,
  payload TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_id ON events (coalesce(sprint_id, ''), event_id);
CREATE INDEX events_by_sprint ON events (sprint_id, kind, seq);
CREATE INDEX events_by_kind ON events (kind, seq);
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'events are append-only'); END;

-- A deleted key keeps its row with a null value, so that its revisions only grow.
CREATE TABLE kv (
  namespace TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT,
  rev INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (namespace, key)
) STRICT;

CREATE TABLE sprints (n INTEGER PRIMARY KEY AUTOINCREMENT, sprint_id TEXT NOT NULL UNIQUE, at TEXT NOT NULL) STRICT;
CREATE TABLE seen_events (sprint_id TEXT NOT NULL, event_id TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (sprint_id, event_id)) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  action_id TEXT NOT NULL UNIQUE,
  sprint_id TEXT,
  action TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'done', 'failed', 'dead')),
  attempts INTEGER NOT NULL,
  next_at TEXT NOT NULL,
  lease TEXT,
  holder TEXT,
  fence INTEGER NOT NULL,
  started_at TEXT,
  result TEXT,
  error TEXT
) STRICT;
CREATE INDEX outbox_open ON outbox (sprint_id, n) WHERE status IN ('pending', 'running', 'failed');
CREATE INDEX outbox_by_sprint ON outbox (sprint_id, n);

CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT, fence INTEGER NOT NULL, expires_at TEXT NOT NULL) STRICT;

CREATE TABLE processes (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  row TEXT NOT NULL,
  settled_at TEXT,
  process_id TEXT NOT NULL AS (row ->> '$.process_id') STORED UNIQUE,
  action_id TEXT NOT NULL AS (row ->> '$.action_id') STORED UNIQUE,
  sprint_id TEXT NOT NULL AS (row ->> '$.sprint_id') STORED,
  task_id TEXT NOT NULL AS (row ->> '$.task_id') STORED,
  role TEXT NOT NULL AS (row ->> '$.role') STORED,
  state TEXT NOT NULL AS (row ->> '$.state') STORED
) STRICT;
CREATE INDEX processes_by_task ON processes (sprint_id, task_id, role, n);
CREATE INDEX processes_open ON processes (n) WHERE settled_at IS NULL;

-- The latest process of each agent and what it said of itself.
CREATE TABLE agents (
  sprint_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  process_id TEXT NOT NULL REFERENCES processes (process_id),
  task_started_at TEXT NOT NULL,
  last_heartbeat_at TEXT,
  last_progress_at TEXT,
  next_by TEXT,
  said TEXT,
  tokens_used INTEGER NOT NULL,
  rev INTEGER NOT NULL,
  PRIMARY KEY (sprint_id, agent_id)
) STRICT;
CREATE TABLE agent_tokens (token_hash TEXT PRIMARY KEY, process_id TEXT NOT NULL REFERENCES processes (process_id)) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL UNIQUE,
  composition_id TEXT NOT NULL,
  graph TEXT NOT NULL,
  started_at TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  labels TEXT NOT NULL,
  status TEXT NOT NULL,
  finished_at TEXT,
  duration_ms REAL,
  output_hash TEXT,
  error TEXT
) STRICT;
CREATE INDEX runs_by_composition ON runs (composition_id, n);
CREATE TABLE run_steps (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL,
  path TEXT NOT NULL,
  stage_id TEXT NOT NULL,
  stage_name TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  duration_ms REAL NOT NULL,
  status TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  output_hash TEXT,
  error TEXT
) STRICT;
CREATE INDEX run_steps_by_run ON run_steps (run_id, n);

CREATE TABLE job_slots (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  scheduler_id TEXT NOT NULL,
  job TEXT NOT NULL,
  slot TEXT NOT NULL,
  run_id TEXT,
  status TEXT NOT NULL,
  reason TEXT,
  at TEXT NOT NULL,
  UNIQUE (scheduler_id, job, slot)
) STRICT;
CREATE INDEX job_slots_by_job ON job_slots (job, n);

CREATE TABLE forge_cache (n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, answer TEXT NOT NULL) STRICT;
CREATE TABLE deliveries (delivery_id TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE stage_output_cache (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  stage_id TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  output TEXT NOT NULL,
  UNIQUE (stage_id, input_hash)
) STRICT;
`;

const TRACE_VALUES = `
-- What a node was given and gave, redacted, where the run was asked to keep it.
ALTER TABLE run_steps ADD COLUMN input TEXT;
ALTER TABLE run_steps ADD COLUMN output TEXT;
CREATE INDEX runs_by_status ON runs (status, n);
`;

const WORKTREE_LEASES = `
-- What each worktree holds of the machine; preparing names the process whose after_create hook is under way.
CREATE TABLE worktree_leases (
  worktree TEXT PRIMARY KEY,
  sprint_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  role TEXT NOT NULL,
  port_first INTEGER,
  port_count INTEGER,
  cache_dir TEXT,
  preparing TEXT,
  at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;

const EVIDENCE = `
-- What an agent's last progress was, and when its processes last computed.
ALTER TABLE agents ADD COLUMN progress_kind TEXT;
ALTER TABLE agents ADD COLUMN last_cpu_at TEXT;
`;

const USAGE = `
-- What an agent has used by model and kind, as its harness told last.
ALTER TABLE agents ADD COLUMN usage TEXT;
`;

const FORGE_BUDGETS = `
-- What is left of each host's limit of requests per token, and until when it is left alone; creates are milliseconds since 1970.
CREATE TABLE forge_budgets (
  host TEXT NOT NULL,
  token_id TEXT NOT NULL,
  limit_n INTEGER,
  remaining INTEGER,
  reset_at TEXT,
  parked_until TEXT,
  hold TEXT,
  failures INTEGER NOT NULL,
  creates TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (host, token_id)
) STRICT, WITHOUT ROWID;
`;

const SLOT_OWNERS = `
-- Which process fires a slot: what a dead one has begun is made again, and by nobody while it lives.
ALTER TABLE job_slots ADD COLUMN owner TEXT;
CREATE INDEX job_slots_open ON job_slots (scheduler_id, job, n) WHERE status = 'fired';
`;

const RETENTION = `
-- Below these nothing of a job fires any more: what was fired there may have lost its row. slot is of the calendar, seq of the log.
CREATE TABLE job_marks (
  scheduler_id TEXT NOT NULL,
  job TEXT NOT NULL,
  slot TEXT,
  seq INTEGER,
  PRIMARY KEY (scheduler_id, job)
) STRICT, WITHOUT ROWID;
-- Slots of events, people and repetitions begin with a letter.
CREATE INDEX job_slots_aside ON job_slots (scheduler_id, job, n) WHERE slot >= ':';
-- The log stays append-only but for rows of no sprint that nothing is rebuilt from.
DROP TRIGGER events_no_delete;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
WHEN OLD.sprint_id IS NOT NULL OR NOT (OLD.kind = 'forge.delivered' OR OLD.kind GLOB 'outbox.*')
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
`;

/** The steps that make Caloron's database; `uuid` names it at its creation. A released step is never edited: the next change is a new step. */
export function migrationsFor(uuid: () => string): readonly Migration[] {
  const seed = (db: Sql) => void db.prepare("INSERT INTO meta (key, value) VALUES ('db_id', ?)").run(uuid());
  return [
    { name: 'store-1', sql: FIRST, seed },
    { name: 'store-2', sql: TRACE_VALUES },
    { name: 'store-3', sql: WORKTREE_LEASES },
    { name: 'store-4', sql: EVIDENCE },
    { name: 'store-5', sql: USAGE },
    { name: 'store-6', sql: FORGE_BUDGETS },
    { name: 'store-7', sql: SLOT_OWNERS },
    { name: 'store-8', sql: RETENTION },
  ];
}
