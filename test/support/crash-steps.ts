import type { RunCapabilities } from '@caloron/scheduler';

/** Told `before forge.merge` and `after forge.merge`; a promise it gives holds the call back until it resolves. */
export type Step = (name: string) => Promise<void> | void;

/** The same outcome, after a step. */
async function thenStep(result: Promise<unknown>, step: () => Promise<void> | void): Promise<unknown> {
  try {
    return await result;
  } finally {
    await step();
  }
}

/** The same client, with a step before and after each call of it and of what its `open` gives. */
function stepping(client: object, name: string, step: Step): object {
  // The target is empty, as a frozen one would not let its members be replaced.
  return new Proxy(
    {},
    {
      // Two capabilities may bring one client between them: their members are joined by name.
      ownKeys: () => Reflect.ownKeys(client),
      getOwnPropertyDescriptor: (_target, key) => {
        const found = Reflect.getOwnPropertyDescriptor(client, key);
        return found === undefined ? undefined : { ...found, configurable: true };
      },
      get: (_target, key): unknown => {
        const value: unknown = Reflect.get(client, key);
        if (typeof value !== 'function') return value;
        const call = (parameters: readonly unknown[]): unknown => Reflect.apply(value, client, parameters);
        if (key === 'open')
          return (...parameters: readonly unknown[]) => stepping(call(parameters) as object, name, step);
        const called = `${name}.${String(key)}`;
        return (...parameters: readonly unknown[]): unknown => {
          const held = step(`before ${called}`);
          const result = held instanceof Promise ? held.then(() => call(parameters)) : call(parameters);
          return result instanceof Promise ? thenStep(result, () => step(`after ${called}`)) : result;
        };
      },
    },
  );
}

/** What a run's stages are given, with a step around every call that leaves the run: each read, each transaction, each step of the outbox, each request to the forge and to the shell. */
export function withSteps(capabilities: RunCapabilities, step: Step): RunCapabilities {
  const entries = Object.entries(capabilities).map(([name, clients]) => [
    name,
    Object.fromEntries(
      Object.entries(clients as Record<string, object>).map(([key, client]) => [
        key,
        key === 'clock' || key === 'random' ? client : stepping(client, key, step),
      ]),
    ),
  ]);
  return Object.fromEntries(entries) as RunCapabilities;
}
