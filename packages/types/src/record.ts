/** The entries of a record with their key type kept; keys that look like integers come first, so order by `order` where it matters. */
export function entriesOf<K extends string, V>(record: Readonly<Record<K, V>>): readonly (readonly [K, V])[] {
  return Object.entries(record) as unknown as readonly (readonly [K, V])[];
}
