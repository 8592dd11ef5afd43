/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The name of the method that `using` calls. Safari, and Chrome before 134, have no `Symbol.dispose`; there esbuild's
 * and Babel's lowering of `using` look for `Symbol.for('Symbol.dispose')`.
 */
export const symbolDispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose');
