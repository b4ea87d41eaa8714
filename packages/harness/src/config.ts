/** What the harness takes from its environment, resolved. */
export interface HarnessConfig {
  /** CALORON_ORDER_FILE: where the shell wrote the order; null when unset. */
  readonly order_file: string | null;
  /** CALORON_ALLOW_DANGEROUS: frameworks that may run without asking for permissions. */
  readonly allow_dangerous: readonly string[];
  /** CALORON_LOG_LEVEL, default `info`. */
  readonly log_level: string;
  /** The environment the shell gave, from which children get an allow-list. */
  readonly env: Readonly<Record<string, string>>;
}

/** Reads the harness's environment (by default that of this process). */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): HarnessConfig {
  const given = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return Object.freeze({
    order_file: nonEmpty(env['CALORON_ORDER_FILE']),
    allow_dangerous: (env['CALORON_ALLOW_DANGEROUS'] ?? '').split(/[\s,]+/).filter((name) => name !== ''),
    log_level: nonEmpty(env['CALORON_LOG_LEVEL']) ?? 'info',
    env: Object.freeze(Object.fromEntries(given)),
  });
}

function nonEmpty(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}
