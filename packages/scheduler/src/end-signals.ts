import type { Logger } from '@caloron/capabilities/logger';

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type Name = keyof typeof SIGNALS;

/** Resolves with the first signal that asks this process to end. A second one, of any of them, ends it at once, with 128 and its number. */
export function askedToEnd(logger: Pick<Logger, 'info' | 'warn'>, grace_ms: number): Promise<Name> {
  return new Promise((resolve) => {
    let asked = false;
    for (const name of Object.keys(SIGNALS) as Name[]) {
      process.on(name, () => {
        if (asked) {
          logger.warn({ signal: name }, 'asked a second time: ending at once');
          process.exit(128 + SIGNALS[name]);
        }
        asked = true;
        logger.info({ signal: name, grace_ms }, 'ending: runs may finish meanwhile');
        resolve(name);
      });
    }
  });
}
