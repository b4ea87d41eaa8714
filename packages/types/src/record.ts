/** The entries of a record with their key type kept; keys that look like integers come first, so order by `order` where it matters. */
export function entriesOf<K extends string, V>(record: Readonly<Record<K, V>>): readonly (readonly [K, V])[] {
  return Object.entries(record) as unknown as readonly (readonly [K, V])[];
}

/** A record's own value at a key that came from outside: `constructor` and its like are no keys of a record that does not hold them. */
export function ownOf<V>(record: Readonly<Record<string, V>>, key: string): V | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
