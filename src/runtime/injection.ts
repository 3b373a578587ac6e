import 'reflect-metadata';

/**
 * What services take from Nest, each from its own file: the index of `@nestjs/common` loads all of HTTP and rxjs, which costs every
 * command 0.2 s of processor time before it begins. Modules, controllers and what else the command line does without
 * import the index.
 */
export { Inject } from '@nestjs/common/decorators/core/inject.decorator.js';
export { Injectable } from '@nestjs/common/decorators/core/injectable.decorator.js';
export { Optional } from '@nestjs/common/decorators/core/optional.decorator.js';
export { Logger } from '@nestjs/common/services/logger.service.js';
