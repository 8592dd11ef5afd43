export { ABSTAIN, Smooth, type BaseClassifier, type Certificate, type CertifyOptions, type SampleOptions, type SmoothOptions } from './smooth.ts';
export { certifyMargin, type MarginCertificates } from './linf-margin.ts';
