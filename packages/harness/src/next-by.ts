/** The word by which an agent says that it will show nothing for a while: `CALORON_NEXT_BY 45m`, anywhere in its output. */
export const NEXT_BY = 'CALORON_NEXT_BY';

/** Longest promise that is believed, in milliseconds: two hours. */
export const LONGEST_PROMISE_MS = 2 * 60 * 60_000;

/** Characters at the end of an output that may be the beginning of a promise. */
const CARRY = NEXT_BY.length + 8;

/** Reads an agent's output piece by piece; gives the minutes of the last promise in it, null without a new one. */
export function createPromiseReader(): (text: string) => number | null {
  let carry = '';
  return (text) => {
    const seen = carry + text;
    const found = [...seen.matchAll(/CALORON_NEXT_BY[ =]{1,2}(\d{1,4})m\b/g)].at(-1);
    const rest = found === undefined ? seen : seen.slice(found.index + found[0].length);
    carry = rest.slice(-CARRY);
    return found === undefined ? null : Number(found[1]);
  };
}
