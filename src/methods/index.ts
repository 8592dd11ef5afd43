export * from './tensor-methods.ts';
