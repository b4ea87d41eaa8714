/** The version of the product: every package of the repository and every tarball has it. */
export const VERSION = '0.1.0';
