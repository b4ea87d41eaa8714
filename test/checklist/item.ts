/** One thing that holds; tests that show it begin with its id. */
export interface Item {
  readonly id: string;
  /** What holds, in this product's words. */
  readonly what: string;
}

/** An item of a list. */
export function item(id: string, what: string): Item {
  return { id, what };
}
