// Safari's, and older Chrome's, Symbol: the real one cannot lose its property, so another one stands in for it.
{
  const real = Symbol;
  const without = function Symbol(text) {
    return real(text);
  };
  for (const key of Reflect.ownKeys(real)) {
    if (key !== 'dispose' && key !== 'asyncDispose' && key !== 'prototype')
      Object.defineProperty(without, key, Object.getOwnPropertyDescriptor(real, key));
  }
  without.prototype = real.prototype;
  globalThis.Symbol = without;
}
