// Measurements of Landfall, apart from it: what they compare with never
// becomes a dependency of the product.
module landfall/bench

go 1.26.0

replace landfall => ..
