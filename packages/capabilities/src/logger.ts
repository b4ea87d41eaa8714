import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Field names whose values never reach a log, at the top and one and two levels down. */
const SECRET_FIELDS = [
  'token',
  'tokens',
  'access_token',
  'api_key',
  'apiKey',
  'auth',
  'authorization',
  'Authorization',
  'cookie',
  'credential',
  'password',
  'secret',
  '"x-caloron-token"',
  '"x-api-key"',
];

function paths(field: string): readonly string[] {
  const nested = field.startsWith('"') ? `[${field}]` : `.${field}`;
  const top = field.startsWith('"') ? `[${field}]` : field;
  return [top, `*${nested}`, `*.*${nested}`];
}

/**
 * A logger that writes JSON lines to stderr and shows no secret field. Stdout belongs to the process's ready line and answers.
 * `level` is one of pino's (`debug`, `info`, `warn`, `error`, `silent`); `info` when absent.
 */
export function createLogger(options: { readonly name: string; readonly level?: string }): Logger {
  // Synchronous: the last line before an exit is the one that matters.
  return createLoggerTo(options, pino.destination({ fd: 2, sync: true }));
}

/** The same logger, writing its lines to `destination`. */
export function createLoggerTo(
  options: { readonly name: string; readonly level?: string },
  destination: { write(line: string): void },
): Logger {
  return pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      base: { name: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRET_FIELDS.flatMap(paths), censor: '[redacted]' },
    },
    destination,
  );
}
