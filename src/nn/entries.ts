import { walkLayers, type Layer } from './layer.ts';

/** A parameter or buffer at one of the places of its layer. */
export interface Entry {
  /** 'layer1.0.conv1.weight'. */
  name: string;
  /** The name at the first place of the layer: another than `name` where one layer is at several places. */
  first: string;
  layer: Layer;
  /** Its name in the layer. */
  local: string;
  isBuffer: boolean;
}

/**
 * Parameters and buffers of a layer and all inside it, layer by layer. Throws TypeError when two layers give the same
 * name.
 */
export function entriesOf(layer: Layer): Entry[] {
  const prefixes = new Map<object, string>();
  const seen = new Map<string, Layer>();
  return [...walkLayers(layer)].flatMap(([prefix, at]) => {
    // The record of parameters is what makes a layer: a copy of the object shares it.
    if (!prefixes.has(at.params)) prefixes.set(at.params, prefix);
    const locals = (specs: object = {}, isBuffer: boolean): Entry[] =>
      Object.keys(specs).map((local) => {
        const name = `${prefix}${local}`;
        const other = seen.get(name);
        if (other && other.params !== at.params)
          throw new TypeError(`model: two parameters have the name ${name}; give the layers names of their own`);
        seen.set(name, at);
        return { name, first: `${prefixes.get(at.params)}${local}`, layer: at, local, isBuffer };
      });
    return [...locals(at.specs, false), ...locals(at.bufferSpecs, true)];
  });
}

/** The model that fills the parameters of a layer, by the record that it fills. */
const owners = new WeakMap<object, Layer>();

/** Layers that view those of a model, such as all but the last. */
const views = new WeakSet<object>();

/** Marks a view: its layers stay those of their model. */
export function asView<L extends Layer>(layer: L): L {
  views.add(layer.params);
  return layer;
}

/** True for a view, and for a layer whose parameters a model fills. */
export function isOwned(layer: Layer): boolean {
  return views.has(layer.params) || owners.has(layer.params);
}

/**
 * Makes `model` the owner of its layers. Throws TypeError, and changes nothing, when one with parameters belongs to
 * another model.
 */
export function own(model: Layer): void {
  for (const { name, layer } of entriesOf(model)) {
    const owner = owners.get(layer.params);
    if (owner && owner !== model) {
      throw new TypeError(
        `model: ${name} is a parameter of another model too (the same ${layer.kind} layer is in both); make ` +
          'a layer for each model, or dispose the other model first',
      );
    }
  }
  for (const [, { params }] of walkLayers(model)) owners.set(params, model);
}

/** Releases the layers of `model`, which another model may then own. */
export function disown(model: Layer): void {
  for (const [, layer] of walkLayers(model)) {
    if (views.has(layer.params) || (owners.get(layer.params) ?? model) !== model) continue;
    owners.delete(layer.params);
    for (const record of [layer.params, layer.buffers ?? {}]) for (const name in record) delete record[name];
    for (const { init } of Object.values(layer.specs)) if (typeof init !== 'function') init.dispose();
  }
}
