// Beats for n agents side by side and prints each beat once it was acknowledged: node beater.ts FILE N
import { openStore } from '../store.ts';
import { processRow, T0, testClock, uuid } from './fixtures.ts';

const [file = '', count = '1'] = process.argv.slice(2);
const { processes } = openStore(file, { clock: testClock(), uuid });
const agents = Array.from({ length: Number(count) }, (_, n) => `agent-${n}`);
for (const [n, agent_id] of agents.entries())
  await processes.begin(
    processRow({ agent_id, process_id: agent_id, action_id: String(n).padStart(32, '0') }),
    agent_id,
  );
await Promise.all(
  agents.map(async (agent_id) => {
    const silent = { status: null, progress_at: null, next_by: null };
    for (let tokens_used = 1; ; tokens_used += 1) {
      await processes.beat(
        { sprint_id: 's1', agent_id, process_id: agent_id },
        { ...silent, tokens_used },
        T0,
      );
      process.stdout.write(`${agent_id} ${tokens_used}\n`);
    }
  }),
);
