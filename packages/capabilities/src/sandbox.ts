import { execFile } from 'node:child_process';
import { accessSync, constants, lstatSync, mkdtempSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';

/** What a command in a sandbox finds of the machine; all paths absolute. */
export interface Confinement {
  /** Path of bubblewrap. */
  readonly program: string;
  /** `host` shares the machine's network, `none` has loopback alone. */
  readonly network: 'host' | 'none';
  /** What it sees and cannot change, beside the system's programs. */
  readonly readable: readonly string[];
  /** What it can change. */
  readonly writable: readonly string[];
  /** Directories of its own that stand where others are: what it writes there is nowhere else. */
  readonly instead: readonly { readonly at: string; readonly is: string }[];
  /** What it must not see, where the system's own folders would show it: directories, and files with what SQLite keeps beside them. */
  readonly hidden?: readonly string[];
  /** Where it starts. */
  readonly cwd: string;
}

/** What of /etc programs need to run, to find names and to check certificates; none of it is secret. */
const ETC = [
  'alternatives',
  'ca-certificates',
  'ca-certificates.conf',
  'crypto-policies',
  'debian_version',
  'fonts',
  'gai.conf',
  'group',
  'host.conf',
  'hosts',
  'java',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'locale.alias',
  'localtime',
  'lsb-release',
  'magic',
  'mime.types',
  'networks',
  'nsswitch.conf',
  'os-release',
  'passwd',
  'perl',
  'pki',
  'protocols',
  'resolv.conf',
  'services',
  'ssl',
  'terminfo',
  'timezone',
];

/** Where programs are installed for everybody. */
const SYSTEM = ['/usr', '/opt', '/nix/store', '/gnu/store'];
const LINKED = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/**
 * What the kernel is set by. Root owns these files, and who owns a file needs no capability to write it: without this an agent of a
 * shell that root runs could have the kernel start a program of its own (core_pattern). bubblewrap covers some of them, by a look at the
 * directory alone.
 */
const KERNEL = ['acpi', 'bus', 'fs', 'irq', 'mtrr', 'scsi', 'sys', 'sysrq-trigger'];

/** First in every command line made here. */
const MARK = '--unshare-user';

/** Milliseconds a probe may take; it takes a few. */
const PROBE_TIMEOUT_MS = 10_000;

/**
 * The command line that runs `argv` confined: new user, pid, ipc and uts namespaces, no capability, a /proc, /dev and /tmp of
 * its own, and of the files only what is named. It dies with the process that started it. Its environment is the one bubblewrap
 * is started with: variables may be secret, and a command line is there for all to read.
 */
export function confinedArgv(confinement: Confinement, argv: readonly string[]): readonly string[] {
  const { program, network, cwd } = confinement;
  return [
    program,
    MARK,
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(network === 'none' ? ['--unshare-net'] : []),
    '--cap-drop',
    'ALL',
    '--die-with-parent',
    ...system(),
    ...mounts(confinement),
    '--setenv',
    'TMPDIR',
    '/tmp',
    '--unsetenv',
    'XDG_RUNTIME_DIR',
    '--chdir',
    cwd,
    '--',
    ...argv,
  ];
}

function system(): readonly string[] {
  const linked = LINKED.flatMap((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return [];
    return found.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
  });
  const etc = ETC.map((name) => `/etc/${name}`);
  return [
    ...SYSTEM.flatMap((path) => ['--ro-bind-try', path, path]),
    ...linked,
    ...etc.flatMap((path) => ['--ro-bind-try', path, path]),
    '--proc',
    '/proc',
    ...KERNEL.flatMap((name) => ['--ro-bind-try', `/proc/${name}`, `/proc/${name}`]),
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
    '--dir',
    '/var/tmp',
  ];
}

/** Outer directories before what lies in them, and of one path the last named counts: else one mount would hide another. */
function mounts({ readable, writable, instead, hidden = [] }: Confinement): readonly string[] {
  const by_path = new Map<string, readonly string[]>();
  for (const [path, mount] of hidden.flatMap(covers)) by_path.set(path, mount);
  for (const { at, is } of instead) by_path.set(at, ['--bind', is, at]);
  for (const path of readable) by_path.set(path, ['--ro-bind', path, path]);
  for (const path of writable) by_path.set(path, ['--bind', path, path]);
  const depth = (path: string): number => path.split('/').length;
  return [...by_path].toSorted(([a], [b]) => depth(a) - depth(b)).flatMap(([, mount]) => mount);
}

/** What lies over a place below the system's folders that is not to be seen; nothing where it is not there anyway. */
function covers(path: string): readonly (readonly [string, readonly string[]])[] {
  if (![...SYSTEM, ...LINKED].some((root) => path.startsWith(`${root}/`))) return [];
  return [path, `${path}-wal`, `${path}-shm`, `${path}-journal`].flatMap((each) => {
    const found = statSync(each, { throwIfNoEntry: false });
    if (found === undefined) return [];
    return [[each, found.isDirectory() ? ['--tmpfs', each] : ['--ro-bind', '/dev/null', each]] as const];
  });
}

/** Whether programs can be confined on this machine: with what, or why not. */
export type SandboxProbe =
  | { readonly program: string; readonly reason: null }
  | {
      readonly program: null;
      readonly reason: string;
      /** What to do, as an order. */
      readonly remedy: string;
    };

const INSTALL = 'run apt-get install bubblewrap';
/** Where the program is there and the kernel refuses. Sources: Debian's kernel.unprivileged_userns_clone, Ubuntu's AppArmor restriction (24.04), user_namespaces(7). */
const LET_NAMESPACES =
  'let users make namespaces: sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces say whether they may; in a container see docs/deployment.md';

/** Looks for bubblewrap on a PATH and runs a command in it: that it is there does not say that the kernel lets it. */
export async function probeSandbox(
  path: string | undefined,
  network: Confinement['network'] = 'host',
): Promise<SandboxProbe> {
  const program = findProgram('bwrap', path);
  if (program === undefined)
    return {
      program: null,
      reason: 'bubblewrap (bwrap) is not installed, or not on PATH',
      remedy: INSTALL,
    };
  const cwd = mkdtempSync(join(tmpdir(), 'caloron-sandbox-'));
  try {
    const confinement = { program, network, readable: [], writable: [cwd], instead: [], cwd };
    const [command = '', ...args] = confinedArgv(confinement, ['/bin/sh', '-c', ': > works']);
    await promisify(execFile)(command, args, { timeout: PROBE_TIMEOUT_MS, env: { PATH: path } });
    if (statSync(join(cwd, 'works'), { throwIfNoEntry: false }) !== undefined)
      return { program, reason: null };
    return { program: null, reason: `${program} ran a command that changed nothing`, remedy: LET_NAMESPACES };
  } catch (error) {
    return {
      program: null,
      reason: `${program} does not work here: ${lastWords(error)}`,
      remedy: LET_NAMESPACES,
    };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

function lastWords(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  const why = said === '' ? (error instanceof Error ? error.message : String(error)) : said;
  return why.split('\n').at(-1) ?? why;
}

/** The file that a command's name means on a PATH, as `execvp` finds it; a name with a slash is a path from `cwd`. Undefined when there is none that can be run. */
export function findProgram(name: string, path: string | undefined, cwd = '/'): string | undefined {
  const places = name.includes('/')
    ? [isAbsolute(name) ? name : join(cwd, name)]
    : (path ?? '').split(delimiter).flatMap((dir) => (isAbsolute(dir) ? [join(dir, name)] : []));
  return places.find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The directory a program was installed to, where that is `{prefix}/bin`; else the one it lies in. */
export function prefixOf(program: string): string {
  const dir = dirname(program);
  return dir.endsWith('/bin') ? dirname(dir) : dir;
}

/** The name of the program that a command line of `confinedArgv` runs inside; undefined for any other command line. */
export function confinedProgram(argv: readonly string[]): string | undefined {
  return argv[1] === MARK ? argv[argv.indexOf('--') + 1] : undefined;
}
