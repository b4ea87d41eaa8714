/** Makes every run of white space one space and drops it at both ends. */
export function normalizeSpace(text) {
  return text.replace(/\s+/g, ' ').trim();
}
