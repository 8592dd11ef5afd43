import {
  betaCalibration,
  histogramBinning,
  isotonicRegression,
  matrixScaling,
  plattScaling,
  temperatureScaling,
  vectorScaling,
} from 'evenkeel/calibrate';

/** Every method of calibration that is fitted to labels. */
export const calibrators = {
  temperatureScaling,
  vectorScaling,
  matrixScaling,
  plattScaling,
  betaCalibration,
  isotonicRegression,
  histogramBinning,
};
