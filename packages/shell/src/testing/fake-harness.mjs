// Stands in for the harness: takes its order, says what it saw, does what its instruction (JSON) says.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';

if (process.argv[2] === 'hook') {
  // Hooks are run by the harness itself.
  const { main } = await import('../../../harness/src/main.ts');
  await main(process.argv.slice(2));
  process.exit();
}

const file = process.env.CALORON_ORDER_FILE;
const order = JSON.parse(readFileSync(file, 'utf8'));
rmSync(file);
const dir = dirname(file);
const todo = JSON.parse(order.instruction ?? '{}');
for (const [name, content] of Object.entries(todo.write ?? {}))
  writeFileSync(join(order.worktree, name), content);
if (todo.exit_file) writeFileSync(join(dir, 'exit.json'), JSON.stringify(todo.exit_file));
if (todo.deaf) process.on('SIGTERM', () => undefined);
if (todo.drops)
  process.on('SIGTERM', () => {
    for (const name of todo.drops) rmSync(join(order.worktree, name));
    process.exit(0);
  });
if (todo.program)
  spawn(process.execPath, ['-e', todo.program], {
    cwd: order.worktree,
    detached: true,
    stdio: 'ignore',
  }).unref();
if (todo.child) spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();
if (todo.prints)
  for (const stream of [process.stdout, process.stderr]) stream.write(`${'x'.repeat(todo.prints)}\n`);
process.stdout.write(`working on ${order.task.id}\n`);
writeFileSync(
  join(dir, 'seen.json'),
  JSON.stringify({ order, env: process.env, argv: process.argv, cwd: process.cwd() }),
);
if (todo.wait) setInterval(() => undefined, 1000);
else process.exitCode = todo.code ?? 0;
