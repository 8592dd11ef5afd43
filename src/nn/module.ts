import { Tensor } from '../tensor/tensor.ts';
import { expectLayer, type ForwardContext, type Layer, type ParameterSpec } from './layer.ts';

/**
 * A layer of your own: any object with `forward`. Its parameters are its fields that are tensors with requiresGrad, and
 * all f32 tensors in `parameters`, under these names; its fields with a `forward` are layers inside it. Read them in
 * `forward` as `this.weight`: the model takes the tensors over as starting values when it is initialised, puts its own
 * in their place, and frees both with `dispose`. Private fields (#weight) are not seen.
 */
export interface Module {
  /** Pass `context` on to layers inside that differ in training, such as dropout and batch norm. */
  forward(x: Tensor, context?: ForwardContext): Tensor;
  readonly parameters?: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>;
}

const adapted = new WeakMap<Module, Layer>();

/** The layer that a model makes of `module`; the same each time. Throws TypeError unless it has `forward`. */
export function asLayer(what: string, module: Module): Layer {
  expectLayer(what, module);
  if ('specs' in module && 'params' in module) return module as Layer;
  let layer = adapted.get(module);
  if (!layer) adapted.set(module, (layer = adapt(what, module)));
  return layer;
}

function adapt(what: string, module: Module): Layer {
  const fields = module as unknown as Record<string, unknown>;
  const { parameters = {} } = module;
  if (typeof parameters !== 'object' || parameters === null)
    throw new TypeError(`${what}: parameters is ${String(parameters)}, expected an object or a Map of tensors`);
  const listed = parameters instanceof Map ? [...parameters] : Object.entries(parameters);
  const own = Object.entries(fields).filter(([name]) => name !== 'parameters');
  const places = new Map<string, { initial: Tensor; set: (t: Tensor) => void }>();
  const add = (name: string, initial: unknown, set: (t: Tensor) => void): void => {
    if (!(initial instanceof Tensor) || initial.dtype !== 'f32')
      throw new TypeError(`${what}: parameter ${name} is ${String(initial)}, expected an f32 tensor`);
    if (places.has(name)) throw new TypeError(`${what}: two parameters have the name ${name}`);
    places.set(name, { initial: initial as Tensor, set });
  };
  for (const [name, value] of own)
    if (value instanceof Tensor && value.requiresGrad) add(name, value, (t) => (fields[name] = t));
  for (const [name, value] of listed)
    add(name, value, (t) =>
      parameters instanceof Map ? parameters.set(name, t) : ((parameters as Record<string, Tensor>)[name] = t),
    );
  // Whoever fills the record, the model or averaged weights of one pass, fills the fields of the module.
  const params = new Proxy<Record<string, Tensor>>(
    {},
    {
      set: (record, name: string, value: Tensor) => {
        record[name] = value;
        places.get(name)!.set(value);
        return true;
      },
      deleteProperty: (record, name: string) => {
        delete record[name];
        const { initial, set } = places.get(name)!;
        set(initial);
        return true;
      },
    },
  );
  const specs = Object.fromEntries(
    [...places].map(([name, { initial }]): [string, ParameterSpec] => [name, { shape: initial.shape, init: initial }]),
  );
  const isModule = (value: unknown): value is Module =>
    typeof value === 'object' && value !== null && typeof (value as Module).forward === 'function';
  const children = Object.fromEntries(
    own.flatMap(([name, value]) => (isModule(value) ? [[name, asLayer(`${what}.${name}`, value)]] : [])),
  );
  return {
    kind: 'Module',
    specs,
    params,
    children,
    forward: (x, context) => {
      const y = module.forward(x, context);
      if (!(y instanceof Tensor)) throw new TypeError(`${what}: forward gives ${String(y)}, expected a tensor`);
      return y;
    },
  };
}
