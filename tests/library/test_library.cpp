// test_library.cpp: the same header in C++: open, predict, and a row that is refused.

#include "rows.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

int main(int argc, char **argv)
{
  char message[300] = "";
  shop *opened = nullptr;
  if (argc != 2 || shop_open(&opened, argv[1], message, sizeof message) != SHOP_OK) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  std::unique_ptr<shop, void (*)(shop *)> model(opened, shop_close);
  rows r;
  rows_make(&r);
  std::vector<int32_t> offsets(ROWS + 1);
  shop_inputs in = rows_inputs(&r, 0, ROWS, offsets.data());
  std::vector<float> ctr(ROWS), taste(ROWS * 8);
  std::vector<char> scratch(shop_scratch_for(model.get(), ROWS));
  const shop_outputs out = {ctr.data(), taste.data()};
  if (shop_predict(model.get(), &in, &out, scratch.data()) != SHOP_OK) {
    return 1;
  }
  for (float p : ctr) {
    if (!(p > 0 && p < 1)) {
      return 1;
    }
  }
  r.item[2] = 1000;
  if (shop_explain(model.get(), &in, message, sizeof message) != SHOP_BAD_ID ||
      std::string(message).find("item, row 2: id 1000") == std::string::npos) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  return 0;
}
