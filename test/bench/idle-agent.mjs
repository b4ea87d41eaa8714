// Stands in for the harness: takes its order, beats once a second, works on nothing.
import { readFileSync, rmSync } from 'node:fs';

const file = process.env.CALORON_ORDER_FILE;
const { agent_id, sprint_id, shell_url, agent_token } = JSON.parse(readFileSync(file, 'utf8'));
rmSync(file);
const beat = () =>
  fetch(`${shell_url}/heartbeat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-caloron-token': agent_token },
    body: JSON.stringify({ agent_id, sprint_id, status: 'working' }),
  }).catch(() => undefined);
void beat();
setInterval(() => void beat(), 1000);
