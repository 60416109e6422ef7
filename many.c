#include <unistd.h>
#include <stdlib.h>
int main(int c,char**v){int n=atoi(v[1]);for(int i=0;i<n;i++)if(!fork())for(;;)pause();for(;;)pause();}
