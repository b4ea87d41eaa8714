// What a malicious agent's program tries: run inside a worktree with the targets as JSON, it writes what came of each to `tried.json`.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';

// It has done what it can; the next run only waits.
if (fs.existsSync('tried.json')) await new Promise(() => setInterval(() => undefined, 1000));

const target = JSON.parse(process.argv.at(-1));
const tried = {};
/** Whole or not there. */
const done = () => {
  fs.writeFileSync('tried.tmp', JSON.stringify(tried));
  fs.renameSync('tried.tmp', 'tried.json');
};
const short = (value) => String(value).slice(0, 200);

/** Notes what was had, or why nothing was. */
async function attempt(name, act) {
  try {
    const had = await act();
    tried[name] = had === undefined || had === false || had === '' ? 'nothing' : `HAD ${short(had)}`;
  } catch (error) {
    tried[name] = `refused: ${error.code ?? short(error.message)}`;
  }
}
const run = (command, ...args) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
const connect = (path) =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ path }, () => resolve(`connected to ${path}`));
    socket.once('error', reject);
  });
const ask = async (path, headers = {}) => {
  const answer = await fetch(`${target.url}${path}`, { headers, signal: AbortSignal.timeout(30_000) });
  return `${answer.status} ${await answer.text()}`;
};

// Sockets and the network.
for (const [name, path] of Object.entries(target.sockets))
  await attempt(`connect to ${name}`, () => connect(path));
await attempt('connect to an abstract socket', () => connect(target.abstract));
await attempt('reach the shell', () => ask('/health'));
await attempt('ask the shell without a token', async () => {
  const answer = await ask('/status');
  return answer.startsWith('401') ? '' : answer;
});
await attempt('ask the shell with tokens it has', async () => {
  for (const value of Object.values(process.env)) {
    const answer = await ask('/status', { 'x-caloron-token': encodeURIComponent(value).slice(0, 200) });
    if (answer.startsWith('200')) return answer;
  }
  return '';
});

if (target.files === undefined) {
  done();
  await new Promise(() => setInterval(() => undefined, 1000));
}

// Files, by path and by a link.
for (const [name, path] of Object.entries(target.files)) {
  await attempt(`read ${name}`, () => fs.readFileSync(path, 'utf8'));
  await attempt(`read ${name} by a link`, () => {
    fs.rmSync('link', { force: true });
    fs.symlinkSync(path, 'link');
    return fs.readFileSync('link', 'utf8');
  });
  await attempt(`change ${name}`, () => fs.appendFileSync(path, 'evil', { flag: 'r+' }) ?? 'changed');
  await attempt(`replace ${name}`, () => fs.rmSync(path) ?? 'removed');
}
fs.rmSync('link', { force: true });
for (const [name, path] of Object.entries(target.places))
  await attempt(`list ${name}`, () =>
    fs
      .readdirSync(path)
      .filter((entry) => !target.own.includes(entry))
      .join(' '),
  );

// What other processes know.
tried.environments = fs
  .readdirSync('/proc')
  .filter((entry) => /^\d+$/.test(entry))
  .map((pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/environ`, 'utf8');
    } catch {
      return '';
    }
  })
  .join('\n');
for (const [name, pid] of Object.entries(target.pids)) {
  for (const file of ['environ', 'mem', 'maps', 'cmdline', 'root/etc/shadow', 'cwd/x', 'fd/0'])
    await attempt(`open ${file} of ${name}`, () => fs.openSync(`/proc/${pid}/${file}`, 'r') && 'open');
  await attempt(`signal ${name}`, () => process.kill(pid, 0) && 'reached');
  await attempt(`kill ${name}`, () => name !== 'the shell' && process.kill(pid, 'SIGKILL') && 'killed');
}
tried.descriptors = fs.readdirSync('/proc/self/fd').map((fd) => {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
});

// The kernel and the terminal.
tried.status = fs.readFileSync('/proc/self/status', 'utf8');
tried.stat = fs.readFileSync('/proc/self/stat', 'utf8');
for (const path of [
  '/dev/tty',
  '/dev/console',
  '/dev/tty1',
  '/dev/kmsg',
  '/dev/mem',
  '/dev/sda',
  '/dev/kvm',
  '/dev/fuse',
])
  await attempt(`open ${path}`, () => fs.openSync(path, 'r+') && 'open');
for (const path of [
  'sys/kernel/core_pattern',
  'sys/kernel/hostname',
  'sys/kernel/sysrq',
  'sys/net/ipv4/ip_forward',
  'sys/kernel/modprobe',
  'sysrq-trigger',
  'sys/vm/drop_caches',
  'kcore',
])
  await attempt(`open /proc/${path}`, () => fs.openSync(`/proc/${path}`, 'r+') && 'open');
await attempt('protect itself from the out-of-memory killer', () => {
  fs.writeFileSync('/proc/self/oom_score_adj', '-1000');
  return 'set';
});
await attempt('make a device', () => run('mknod', '/tmp/device', 'b', '8', '0') || 'made');
for (const path of target.read_only) {
  await attempt(`write ${path}`, () => fs.writeFileSync(`${path}/evil`, 'evil') ?? 'written');
  await attempt(`mount ${path} anew`, () =>
    run(
      'unshare',
      '-Urm',
      'sh',
      '-c',
      'mount -o remount,bind,rw "$0" && touch "$0/evil" && echo written',
      path,
    ),
  );
  await attempt(`take the mount off ${path}`, () =>
    run('unshare', '-Urm', 'sh', '-c', 'umount "$0" && echo off', path),
  );
}
await attempt('leave by a new root', () =>
  run('unshare', '-Urm', 'sh', '-c', `mkdir -p /tmp/a && mount --rbind / /tmp/a && ls '${target.root}/.ssh'`),
);

// Other repositories by git.
tried.worktrees = run('git', 'worktree', 'list', '--porcelain');
const { clone, other } = target;
await attempt('read another task’s objects by an alternate of the environment', () =>
  run(
    'env',
    `GIT_ALTERNATE_OBJECT_DIRECTORIES=${other.clone}/objects`,
    'git',
    'cat-file',
    '-p',
    other.commit,
  ),
);
await attempt('read them by an alternate of its repository', () => {
  fs.mkdirSync(`${clone}/objects/info`, { recursive: true });
  fs.writeFileSync(`${clone}/objects/info/alternates`, `${other.clone}/objects\n`);
  return run('git', 'cat-file', '-p', other.commit);
});
await attempt('read them by its commondir', () =>
  run('git', `--git-dir=${other.clone}`, 'log', '-1', other.commit),
);
await attempt('read them by the other’s gitdir', () =>
  run('git', `--git-dir=${other.clone}/worktrees/t2`, 'log', '-1', other.commit),
);
await attempt(
  'fetch them',
  () => run('git', 'fetch', other.clone, `${other.commit}:refs/heads/stolen`) || 'fetched',
);
await attempt(
  'borrow them by a clone',
  () => run('git', 'clone', '-q', '--shared', other.clone, '/tmp/stolen') || 'cloned',
);

// Last: whatever git of others would run.
if (target.poison !== null) {
  const { settings, hooks, evil } = target.poison;
  for (const [key, value] of Object.entries(settings)) run('git', `--git-dir=${clone}`, 'config', key, value);
  for (const dir of [`${clone}/hooks`, `${clone}/evil-hooks`]) {
    fs.mkdirSync(dir, { recursive: true });
    for (const hook of hooks) fs.writeFileSync(`${dir}/${hook}`, evil, { mode: 0o755 });
  }
  fs.mkdirSync(`${clone}/info`, { recursive: true });
  fs.writeFileSync(`${clone}/info/attributes`, '* filter=evil merge=evil diff=evil\n');
  fs.writeFileSync('.gitattributes', '* filter=evil merge=evil diff=evil\n');
  fs.writeFileSync('unfinished.txt', 'unfinished\n');
}
done();
setInterval(() => undefined, 1000);
