/** Variables every program a graph starts may see: where programs are, who runs them, in what language. No token is among them. */
const PASSES = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/** The variables of a program: the harmless ones and those graphs are allowed to read. */
export function programEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  allow: readonly string[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...PASSES, ...allow].flatMap((name) => {
      const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
