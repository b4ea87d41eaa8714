import path from 'node:path';
import { LocalForgeError } from './errors.ts';
import { DEFAULT_RATE_LIMIT } from './rate-limit.ts';

/** How a forge is run, complete. */
export interface ForgeConfig {
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly data: string;
  /** Requests per hour and token. */
  readonly rate_limit: number;
  /** Changes per minute and token; null is no such limit. */
  readonly secondary_limit: number | null;
  readonly log_level: string;
}

function whole(option: string, given: string, range: { readonly min: number; readonly max: number }): number {
  const number = /^\d{1,12}$/.test(given) ? Number(given) : Number.NaN;
  if (number >= range.min && number <= range.max) return number;
  const expected = `a whole number from ${range.min} to ${range.max}`;
  throw new LocalForgeError('LOCAL_FORGE_OPTION_INVALID', { option, given, expected });
}

/** The configuration from command-line options and the environment. Throws LOCAL_FORGE_OPTION_INVALID. */
export function forgeConfig(
  options: {
    readonly host?: string | undefined;
    readonly port: string;
    readonly data: string;
    readonly rateLimit?: string | undefined;
    readonly secondary?: string | undefined;
  },
  env: Readonly<Record<string, string | undefined>> = process.env,
): ForgeConfig {
  return {
    host: options.host ?? '127.0.0.1',
    port: whole('--port', options.port, { min: 0, max: 65_535 }),
    data: dataDirectory(options.data),
    rate_limit: whole('--rate-limit', options.rateLimit ?? String(DEFAULT_RATE_LIMIT), {
      min: 1,
      max: 1_000_000_000,
    }),
    secondary_limit:
      options.secondary === undefined
        ? null
        : whole('--secondary', options.secondary, { min: 1, max: 1_000_000_000 }),
    log_level: logLevel(env),
  };
}

/** The data directory as an absolute path. */
export function dataDirectory(given: string): string {
  return path.resolve(given);
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

function logLevel(env: Readonly<Record<string, string | undefined>>): string {
  const given = env.CALORON_LOG_LEVEL ?? 'info';
  if (LEVELS.includes(given)) return given;
  const expected = `one of ${LEVELS.join(', ')}`;
  throw new LocalForgeError('LOCAL_FORGE_OPTION_INVALID', { option: 'CALORON_LOG_LEVEL', given, expected });
}
