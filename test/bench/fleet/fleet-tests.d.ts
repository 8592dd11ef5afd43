/** The op tests, collected when the page is built. */
declare module 'fleet:tests' {
  export const files: Readonly<Record<string, () => Promise<unknown>>>;
}
