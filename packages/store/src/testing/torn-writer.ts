// Commits whole sprints one after another until it is killed; with `hold` it stops inside a transaction: node torn-writer.ts FILE commit|hold
import { randomUUID } from 'node:crypto';

import { openDatabase } from '../database.ts';
import { migrationsFor } from '../schema.ts';
import { openStore } from '../store.ts';
import { actionOf, commitOf, sprintState, testClock } from './fixtures.ts';

const [file = '', mode = ''] = process.argv.slice(2);
const run = openStore(file, { clock: testClock(), uuid: randomUUID }).forRun({ run_id: 'r', lease: null });
await run.state.commit(commitOf());

if (mode === 'hold') {
  const database = openDatabase(file, migrationsFor(randomUUID));
  await database.write(() => {
    database.db.exec("INSERT INTO seen_events (sprint_id, event_id, at) VALUES ('s1', 'torn', 'now')");
    process.stdout.write('holding\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
  });
}

process.stdout.write('committing\n');
for (let rev = 1; ; rev += 1) {
  const actions = [actionOf(rev * 2), actionOf(rev * 2 + 1)];
  const cursors = { v: 1 as const, log_seq: rev, forge: { [`f${rev}`]: { updated_at: null, etag: 'e' } } };
  await run.state.commit(
    commitOf({
      expect_rev: rev,
      state: sprintState('s1', `goal ${rev}`),
      actions,
      cursors,
      puts: { 'caloron:s1:note': rev },
    }),
  );
}
