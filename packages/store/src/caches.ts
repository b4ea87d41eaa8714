import type { Json, OutputCache } from '@caloron/noether';
import { codeOf, isRetryable } from '@caloron/noether/errors';
import { z } from 'zod';

import type { CachedAnswer, ForgeCache } from './api.ts';
import { storedText } from './json.ts';
import type { Database } from './sql.ts';

/** Older answers and outputs are dropped: a cache never grows without end. */
const MAX_ANSWERS = 2000;
const MAX_OUTPUTS = 10_000;
/** A cache is never worth a long wait. */
const DEADLINE_MS = 1000;

const Answer = z.strictObject({
  etag: z.string(),
  status: z.number(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
  at: z.string(),
}) satisfies z.ZodType<CachedAnswer>;
const AnswerRow = z.strictObject({ answer: z.string() });
const OutputRow = z.strictObject({ output: z.string() });

/** The value of a cached text; a damaged one is as good as absent. */
function cached(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Writes unless the database is locked or full: a cache that cannot be written is no failure. */
export async function writeIfFree(database: Database, fn: () => void): Promise<void> {
  try {
    await database.write(fn, { deadline_ms: DEADLINE_MS });
  } catch (error) {
    if (!isRetryable(error) && codeOf(error) !== 'STORE_CLOSED') throw error;
  }
}

/** Conditional answers of forges. */
export function createForgeCache(database: Database): ForgeCache {
  const { db } = database;
  const select = db.prepare('SELECT answer FROM forge_cache WHERE key = ?');
  const insert = db.prepare('INSERT OR REPLACE INTO forge_cache (key, answer) VALUES (?, ?)');
  const prune = db.prepare('DELETE FROM forge_cache WHERE n <= (SELECT max(n) FROM forge_cache) - ?');
  return {
    get: async (key) => {
      const row = select.get(key);
      const answer = row === undefined ? undefined : Answer.safeParse(cached(AnswerRow.parse(row).answer));
      return answer?.success === true ? answer.data : undefined;
    },
    put: (key, answer) =>
      writeIfFree(database, () => {
        insert.run(key, storedText(answer, `forge answer ${key}`));
        prune.run(MAX_ANSWERS);
      }),
  };
}

/** Outputs of pure stages by stage id and input hash; safe to delete. */
export function createOutputCache(database: Database): OutputCache {
  const { db } = database;
  const select = db.prepare('SELECT output FROM stage_output_cache WHERE stage_id = ? AND input_hash = ?');
  const insert = db.prepare(
    'INSERT OR REPLACE INTO stage_output_cache (stage_id, input_hash, output) VALUES (?, ?, ?)',
  );
  const prune = db.prepare(
    'DELETE FROM stage_output_cache WHERE n <= (SELECT max(n) FROM stage_output_cache) - ?',
  );
  return {
    get: (stage_id, input_hash) => {
      const row = select.get(stage_id, input_hash);
      return row === undefined ? undefined : (cached(OutputRow.parse(row).output) as Json | undefined);
    },
    put: (stage_id, input_hash, output) =>
      writeIfFree(database, () => {
        insert.run(stage_id, input_hash, storedText(output, `output of ${stage_id}`));
        prune.run(MAX_OUTPUTS);
      }),
  };
}
