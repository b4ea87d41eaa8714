import { execFile } from 'node:child_process';

/** What systemd gives a service of `Type=notify`. */
export interface SystemdVariables {
  readonly NOTIFY_SOCKET?: string | undefined;
  /** Microseconds within which systemd wants a sign of life. */
  readonly WATCHDOG_USEC?: string | undefined;
  /** Whom it wants it of. */
  readonly WATCHDOG_PID?: string | undefined;
  readonly PATH?: string | undefined;
}

/** What is told, and by whom. */
export interface SystemdDeps {
  readonly variables: SystemdVariables;
  readonly pid: number;
  /** Whether the process is well: a sign of life is given only then. */
  readonly healthy: () => Promise<boolean>;
  readonly warn: (facts: object, message: string) => void;
  /** The program that writes to systemd's socket; `systemd-notify` on the PATH when absent. */
  readonly program?: string;
}

/** Tells systemd how far a service is. */
export interface Systemd {
  /** It serves; from here on signs of life follow, twice within each period. */
  ready(status: string): Promise<void>;
  /** It ends. */
  stopping(): Promise<void>;
  /** Gives no more signs of life. */
  close(): void;
}

/** A program that does not end would hold up the start and the end. */
const PROGRAM_TIMEOUT_MS = 5_000;

/**
 * Speaks sd_notify(3) through the program systemd-notify, as Node has no datagram sockets of files; see decision 27. Where systemd did
 * not start the process nothing is done. What cannot be told is warned of, and nothing fails.
 */
export function createSystemd({ variables, pid, healthy, warn, program }: SystemdDeps): Systemd {
  const { NOTIFY_SOCKET: socket, PATH } = variables;
  let timer: NodeJS.Timeout | undefined;

  const tell = (...lines: readonly string[]): Promise<void> =>
    new Promise((resolve) => {
      if (socket === undefined || socket === '') return resolve();
      const env = { NOTIFY_SOCKET: socket, PATH };
      execFile(program ?? 'systemd-notify', lines, { env, timeout: PROGRAM_TIMEOUT_MS }, (error) => {
        if (error !== null) warn({ reason: reasonOf(error.code) }, 'systemd could not be told');
        resolve();
      });
    });

  const alive = async (): Promise<void> => {
    if (await healthy()) await tell('WATCHDOG=1');
    else warn({}, 'systemd is given no sign of life: the scheduler is not well');
  };

  return {
    ready: async (status) => {
      await tell('--ready', `--status=${status}`);
      const period_ms = watchdogMs(variables, pid);
      if (socket !== undefined && period_ms !== null) timer = setInterval(() => void alive(), period_ms / 2);
    },
    stopping: () => tell('STOPPING=1'),
    close: () => clearInterval(timer),
  };
}

/** The period of systemd's watchdog, ms; null when it wants no sign of life of this process. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: SystemdVariables, pid: number): number | null {
  const period_ms = Number(WATCHDOG_USEC ?? 0) / 1000;
  if (!(period_ms > 0)) return null;
  return WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid ? period_ms : null;
}

function reasonOf(code: unknown): string {
  return code === 'ENOENT'
    ? 'there is no program systemd-notify; use Type=exec'
    : `systemd-notify: ${String(code)}`;
}
