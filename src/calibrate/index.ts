export { fitTemperature, softmaxRows } from './temperature.ts';
export { temperatureScaling, type LogitModel, type TemperatureScaled } from './temperature-scaling.ts';
