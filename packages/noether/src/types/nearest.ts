/** Longest text names are suggested for; what is longer is no misspelt name. */
const MAX_WRITTEN = 100;

/** Up to three names close to what was written, closest first. */
export function nearest(written: string, names: readonly string[]): readonly string[] {
  if (written.length > MAX_WRITTEN) return [];
  const limit = Math.max(2, Math.floor(written.length / 3));
  return [...new Set(names)]
    .map((name) => ({ name, distance: distance(written, name) }))
    .filter(({ name, distance }) => distance <= limit || (written.length > 3 && name.includes(written)))
    .toSorted((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, char] of a.split('').entries()) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (char === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
