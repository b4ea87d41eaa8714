import { systemClock } from '@caloron/capabilities/clock';
import { openRepo } from '@caloron/capabilities/github';
import { systemRandom } from '@caloron/capabilities/random';
import { codeOf } from '@caloron/noether/errors';
import { openStore } from '@caloron/store/store';
import { z } from 'zod';

// A process that asks a forge for the same thing, by the budget of its home, until it is told to stop.

const Order = z.object({
  db: z.string(),
  host: z.string(),
  repo: z.string(),
  /** Requests it makes at most. */
  most: z.number().int().positive(),
  who: z.enum(['tick', 'person']),
});
const { db, host, repo, most, who } = Order.parse(JSON.parse(process.argv[2] ?? '{}'));
const token = process.env['FORGE_ASKER_TOKEN'] ?? '';
const store = openStore(db, { clock: systemClock, uuid: () => systemRandom.uuid() });
const forge = openRepo({ repo, host, token, budget: store.forgeBudgets, who, read_retries: 0 });

let answered = 0;
let code: string | null = null;
while (answered < most && code === null) {
  try {
    await forge.info();
    answered += 1;
  } catch (error) {
    code = codeOf(error) ?? 'none';
  }
}
store.close();
process.stdout.write(`${JSON.stringify({ answered, code })}\n`);
process.exit(0);
