export { FormatError } from './errors.ts';
export type { Bytes } from './bytes.ts';
export { parseCifar, type CifarRecords } from './cifar.ts';
export { parseCsv } from './csv.ts';
export { gunzip, isGzip } from './gzip.ts';
export { encodeIdx, parseIdx, type IdxArray, type IdxStorage, type IdxType } from './idx.ts';
export { decodeSafetensors } from './safetensors.ts';
export { encodeSafetensors, type SafetensorsInput } from './safetensors-encode.ts';
export type { Safetensors, SafetensorsStorage, SafetensorsTensor, SafetensorsType } from './safetensors-types.ts';
